/**
 * What a stored configuration can be wrong about. Apart from the mapping, so that whoever only needs to tell it from other
 * errors does not load the whole configuration schema.
 */

/** The message names what is wrong, never the content. */
export class StoredConfigError extends Error {
  override readonly name = 'StoredConfigError';
}
