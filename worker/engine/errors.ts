// Owns the errors the engine throws. Turning them into responses or escalations belongs to the callers.

/** A model file that must not be used: truncated, altered, inconsistent or absurd. */
export class ModelFormatError extends Error {
  readonly code = 'model_corrupt';
  readonly detail: string;

  constructor(detail: string, options?: ErrorOptions) {
    super(`the model file is corrupt: ${detail}`, options);
    this.name = 'ModelFormatError';
    this.detail = detail;
  }
}

/** An input the model cannot take: the wrong kind, the wrong size, or values outside 0..1. */
export class EngineInputError extends Error {
  readonly code = 'invalid_input';

  constructor(message: string) {
    super(message);
    this.name = 'EngineInputError';
  }
}

/** Weights and input that together overflow float32: there is no answer to give. */
export class EngineOutputError extends Error {
  readonly code = 'model_output';

  constructor(message: string) {
    super(message);
    this.name = 'EngineOutputError';
  }
}

/** A model that does not fit into the memory set aside for models, even alone. */
export class EngineMemoryError extends Error {
  readonly code = 'model_too_large';

  constructor(model: string, workingBytes: number, budgetBytes: number) {
    super(`${model} needs ${workingBytes} bytes of memory, of ${budgetBytes} for all models`);
    this.name = 'EngineMemoryError';
  }
}
