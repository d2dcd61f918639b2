/**
 * What every Target promises, whatever it is made of. Run it for each adapter and for the fake that stands for them.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { Target } from '../../worker/ports.ts';
import { labelOf, imageCall, predictImage, predictText, textCall } from '../fakes/sample-call.ts';

/** `answers` as sample-call.ts says, `hangs` without end, or `breaks` in whatever way this place can break. */
export type Behaviour = 'answers' | 'hangs' | 'breaks';

export type TargetHarness = {
  create(behaviour: Behaviour): Target | Promise<Target>;
  close?(): Promise<void>;
};

const SECRET = 'my-private-sentence';
/** Timers and two shared processors; a hang is what must not pass. */
const SLACK_MS = 1_500;

export function describeTargetContract(name: string, open: () => TargetHarness | Promise<TargetHarness>): void {
  describe(`the target contract: ${name}`, () => {
    const opened: TargetHarness[] = [];
    afterEach(async () => {
      for (const one of opened.splice(0)) await one.close?.();
    });
    async function target(behaviour: Behaviour): Promise<Target> {
      const harness = await open();
      opened.push(harness);
      return harness.create(behaviour);
    }

    it('answers one text with one prediction', async () => {
      const result = await (await target('answers')).infer(textCall(['yes']), new AbortController().signal);
      const { label, confidence, truncated } = predictText('yes');
      expect(result).toMatchObject({ kind: 'answered', predictions: [{ label, confidence, truncated }] });
      const [answer] = result.kind === 'answered' ? result.predictions : [];
      expect(answer?.kind === 'class' && answer.top[0]).toEqual({ label, confidence });
    });

    it('answers a batch of texts completely and in order', async () => {
      const texts = Array.from(
        { length: 64 },
        (_unused, index) => ['yes', 'no', `other ${index} \u{1F600}\u00e9"\n`][index % 3] ?? '',
      );
      const result = await (await target('answers')).infer(textCall(texts), new AbortController().signal);
      expect(result.kind === 'answered' && result.predictions.map(labelOf)).toEqual(
        texts.map((text) => predictText(text).label),
      );
    });

    it('answers a batch of images in order', async () => {
      const brightness = [0.25, 0.75, 1, 0];
      const result = await (await target('answers')).infer(imageCall(brightness), new AbortController().signal);
      expect(result.kind === 'answered' && result.predictions.map(labelOf)).toEqual(
        brightness.map((value) => predictImage([value]).label),
      );
    });

    it('ends within its time when the place hangs', async () => {
      const place = await target('hangs');
      const startMs = performance.now();
      const result = await place.infer(textCall([SECRET], { timeoutMs: 60 }), new AbortController().signal);
      expect(result).toMatchObject({ kind: 'failed', reason: 'timeout' });
      expect(performance.now() - startMs).toBeLessThan(60 + SLACK_MS);
    });

    it('ends at once when the caller leaves', async () => {
      const place = await target('hangs');
      const caller = new AbortController();
      const pending = place.infer(textCall([SECRET], { timeoutMs: 30_000 }), caller.signal);
      const startMs = performance.now();
      setTimeout(() => caller.abort(), 20);
      expect(await pending).toMatchObject({ kind: 'failed', reason: 'cancelled' });
      expect(performance.now() - startMs).toBeLessThan(20 + SLACK_MS);
    });

    it('does nothing for a caller that has already left', async () => {
      const result = await (await target('answers')).infer(textCall(['yes']), AbortSignal.abort());
      expect(result).toMatchObject({ kind: 'failed', reason: 'cancelled' });
    });

    it('has no time for a call without time', async () => {
      const result = await (
        await target('answers')
      ).infer(textCall(['yes'], { timeoutMs: 0 }), new AbortController().signal);
      expect(result).toMatchObject({ kind: 'failed', reason: 'timeout' });
    });

    it('makes a value of a break, without the input in it', async () => {
      const result = await (await target('breaks')).infer(textCall([SECRET]), new AbortController().signal);
      expect(result.kind).toBe('failed');
      expect(JSON.stringify(result)).not.toContain(SECRET);
      expect(JSON.stringify(result)).not.toContain('secret');
    });

    it('works again after the caller left or the time ran out', async () => {
      const place = await target('answers');
      await place.infer(textCall(['yes'], { timeoutMs: 0.001 }), new AbortController().signal);
      const caller = new AbortController();
      const left = place.infer(textCall(['yes']), caller.signal);
      caller.abort();
      await left;
      expect(await place.infer(textCall(['no']), new AbortController().signal)).toMatchObject({ kind: 'answered' });
    });

    it('serves calls side by side without mixing them up', async () => {
      const place = await target('answers');
      const texts = Array.from({ length: 20 }, (_unused, index) => (index % 2 === 0 ? 'yes' : 'no'));
      const results = await Promise.all(
        texts.map((text) => place.infer(textCall([text]), new AbortController().signal)),
      );
      expect(
        results.map((result) => (result.kind === 'answered' ? labelOf(result.predictions[0]) : result.reason)),
      ).toEqual(texts);
    });

    it('can be checked, awake or broken, without a throw', async () => {
      for (const behaviour of ['answers', 'breaks'] as const) {
        const checked = await (await target(behaviour)).check(AbortSignal.timeout(2_000));
        expect(typeof checked.ok).toBe('boolean');
        expect(checked.detail).not.toBe('');
      }
    });
  });
}
