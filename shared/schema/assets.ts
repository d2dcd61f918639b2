/**
 * Static assets that hold weights: where, and how large. Apart from the schemas, because a first answer needs these and not the
 * library that checks them.
 */

/** Cloudflare's own limit for one static asset. */
export const MAX_ASSET_BYTES = 25 * 1024 * 1024;

/** Under which the static assets hold weights. */
export const ASSETS_FOLDER = 'weights';
