// What the words of records mean, for people.

export const CODES = {
  killed: 'a kill switch stops it', denied: 'a policy denies it', approval_pending: 'a person must look at it first',
  approval_denied: 'a person has denied it', approval_expired: 'nobody decided about it in time',
  budget_exceeded: 'the budget has no room for it', loop_detected: 'the agent repeats itself',
  deadlock: 'agents wait for each other', bulkhead_full: 'too many calls are under way', circuit_open: 'the circuit is open',
  rate_limited: 'too many calls came', deadline_exceeded: 'its time was over', upstream_unreachable: 'the upstream cannot be reached',
  upstream_timeout: 'the upstream did not answer in time', upstream_disconnected: 'the upstream closed the connection',
  truncated: 'the answer ended early', bad_upstream_response: 'the answer is no valid HTTP', overloaded: 'Holdfast is full',
  journal_unavailable: 'the journal cannot be written', store_unavailable: 'what pods share cannot be asked',
  internal_error: 'Holdfast failed', shutting_down: 'Holdfast is stopping', proxy_loop: 'the call came back to this proxy',
  no_route: 'no upstream is mounted there', method_refused: 'the method is refused', unknown_method: 'the method is unknown',
  bad_request: 'the request is not valid', ambiguous_call: 'it can be read in more than one way', body_too_large: 'the body is too large',
  head_too_large: 'the head is too large', unsupported_encoding: 'the body cannot be read', request_timeout: 'the request came too slowly',
};

export const RESULTS = {
  success: 'it worked', failure: 'it failed', throttled: 'the upstream asked to come back later',
  caller_error: 'the upstream says that the request is wrong', cancelled: 'it was cancelled', truncated: 'the answer broke off',
};

// Words, and tone.
export const OUTCOMES = {
  ok: ['answered', 'good'], failed: ['failed', 'bad'], refused: ['refused', 'warn'], truncated: ['the answer broke off', 'bad'],
  cancelled: ['cancelled', 'dim'], fallback: ['answered by something else', 'warn'], stale: ['answered with what was kept', 'warn'],
  unknown: ['nobody knows', 'bad'],
};

export const EXECUTED = {
  yes: 'It ran.', no: 'It did not run.', unknown: 'Whether it ran nobody knows.',
};

export const TIERS = ['', 'a backup', 'an answer that was kept', 'what a policy says'];
