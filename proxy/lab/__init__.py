"""The lab: where calls can be tried, broken and measured without a real gateway."""
