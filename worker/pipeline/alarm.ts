/**
 * A time that may be called off: waiting for it leaves no timer behind.
 */
export function alarmAfter(ms: number): { readonly rung: Promise<void>; readonly cancel: () => void } {
  let cancel = (): void => undefined;
  const rung = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    cancel = () => clearTimeout(timer);
  });
  return { rung, cancel: () => cancel() };
}
