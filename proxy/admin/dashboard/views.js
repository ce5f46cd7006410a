// The views, in the order of the navigation; the first is where one begins.

import * as agents from './views/agents.js';
import * as alerts from './views/alerts.js';
import * as budgets from './views/budgets.js';
import * as overview from './views/overview.js';
import * as slos from './views/slos.js';
import * as tools from './views/tools.js';

export const views = [overview, tools, agents, budgets, slos, alerts];
