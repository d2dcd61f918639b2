/** A status counts for five minutes (shared/decide/place.ts): one missed look changes nothing. */
export const PROBE_MINUTES = 2;
