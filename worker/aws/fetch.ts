/**
 * The part of `fetch` that calls to AWS use, so that a test may give its own.
 */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;
