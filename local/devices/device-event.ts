/** What a simulated device says of itself, in C and in TypeScript alike. Owns the type only. */

/** One line of a device: `event` is welcome, resumed, threshold, model, lost or answer. */
export type DeviceEvent = {
  readonly device: string;
  readonly event: string;
  readonly threshold?: number;
  /** First four bytes of the model's SHA-256, hex; empty: none. */
  readonly model?: string;
  readonly at_ms?: number;
  readonly by?: 'device' | 'gateway';
  readonly status?: number;
  readonly label?: number;
  readonly confidence?: number;
};
