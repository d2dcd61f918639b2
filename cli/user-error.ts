/**
 * A problem the person at the command line can solve: its message is shown alone, without a stack.
 */
export class UserError extends Error {
  override readonly name = 'UserError';
}
