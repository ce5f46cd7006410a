// The views, in the order of the navigation; the first is where one begins.

import * as agents from './views/agents.js';
import * as alerts from './views/alerts.js';
import * as approvals from './views/approvals.js';
import * as budgets from './views/budgets.js';
import * as call from './views/call.js';
import * as calls from './views/calls.js';
import * as journal from './views/journal.js';
import * as kills from './views/kills.js';
import * as overview from './views/overview.js';
import * as policies from './views/policies.js';
import * as slos from './views/slos.js';
import * as tool from './views/tool.js';
import * as tools from './views/tools.js';

export const views = [overview, tools, tool, agents, budgets, slos, alerts, approvals, kills, calls, call, journal, policies];
