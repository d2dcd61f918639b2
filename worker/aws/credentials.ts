/**
 * Where the AWS keys that sign a call come from. Owns the interface, the fixed key pair and falling back to it;
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
  /** Told when AWS took the credentials for wrong or expired: a source that can get others then does. */
  refused?(): void;
};

export function createStaticCredentials(credentials: AwsCredentials): CredentialsSource {
  const held = Promise.resolve(credentials);
  return { get: () => held };
}

/** Warm credentials of the first are never delayed by the second, which is asked only when the first has none. */
export function withFallback(first: CredentialsSource, second: CredentialsSource): CredentialsSource {
  return {
    get: (signal) => first.get(signal).catch(() => second.get(signal)),
    refused: () => first.refused?.(),
  };
}
