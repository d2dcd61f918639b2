/** A promise with its handles outside. Owns nothing else: Promise.withResolvers is newer than our language level. */
export type Deferred<T> = {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (cause: Error) => void;
};

export function deferred<T>(): Deferred<T> {
  const handles: Omit<Deferred<T>, 'promise'>[] = [];
  const promise = new Promise<T>((resolve, reject) => {
    handles.push({ resolve, reject });
  });
  // The executor has run by now: that is what makes the handles safe to hand out.
  const [first] = handles;
  if (first === undefined) throw new Error('a promise did not run its executor');
  return { promise, ...first };
}
