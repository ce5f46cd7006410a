"""What of the journal goes elsewhere: over the network, so that the journal need not know one."""
