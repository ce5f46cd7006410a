// How bad a figure or a state is, as a tone ('bad', 'warn', 'good', 'dim' or none). `holdfast top` has the
// same bounds (proxy/cli/top_drawn.py).

const BAD = 0.05;
const BUSY = 0.75;

// Of a circuit.
export const CIRCUIT = {open: 'bad', half_open: 'warn', closed: 'good'};

// Of an objective.
export const SLO = {exhausted: 'bad', burning: 'warn', ok: 'good', insufficient_data: 'dim'};

// Of the share of calls that failed; null: there were none.
export const failing = (errors) => (errors === null ? 'dim' : errors >= BAD ? 'bad' : '');

// Of the share of a budget that is used.
export const full = (share) => (share >= 1 ? 'bad' : share >= BUSY ? 'warn' : '');
