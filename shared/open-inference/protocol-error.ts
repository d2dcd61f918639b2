/**
 * What is wrong with a body of the Open Inference Protocol, and where. Whose fault it is (a caller's or an upstream's) is
 * for the side that reads to say.
 */
export class OpenInferenceError extends Error {
  override readonly name = 'OpenInferenceError';
  /** Path of the field, such as `inputs[0].shape`. */
  readonly path: string;

  constructor(path: string, problem: string) {
    super(problem);
    this.path = path;
  }
}
