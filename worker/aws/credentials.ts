/**
 * Where the AWS keys that sign a call come from. Owns the interface and the fixed key pair;
 * leaves out every source that must itself be asked over the network.
 */

export type AwsCredentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
};

/** `get` rejects where no valid credentials can be had; the caller turns that into a `credentials` failure. */
export type CredentialsSource = {
  get(signal: AbortSignal): Promise<AwsCredentials>;
};

export function createStaticCredentials(credentials: AwsCredentials): CredentialsSource {
  const held = Promise.resolve(credentials);
  return { get: () => held };
}
