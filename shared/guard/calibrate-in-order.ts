/**
 * Calibrates a cascade's shortcuts one after another, each on the rows that those before it send on. Their answers below
 * the first refused one were never looked at by the calibration before, so they are still a fair sample; VALIDITY.md.
 */
import type { AgreementPromise } from './bounds.ts';
import type { CalibrationPair } from './calibrate.ts';
import { calibrateShortcut, type CalibratedShortcut, type CalibrationSubject } from './calibration-record.ts';

export type ShortcutAnswer = { readonly label: string; readonly confidence: number };

/** One input: what each shortcut answers, and what the reference (or a label) says. */
export type ReferenceRow = {
  readonly answers: Readonly<Record<string, ShortcutAnswer>>;
  readonly reference: string;
};

export function calibrateInOrder(
  rows: readonly ReferenceRow[],
  shortcuts: readonly string[],
  promise: AgreementPromise,
  subject: Omit<CalibrationSubject, 'shortcut' | 'id'> & { readonly idPrefix: string },
): readonly CalibratedShortcut[] {
  let left = rows;
  return shortcuts.map((shortcut) => {
    const { idPrefix, ...about } = subject;
    const calibrated = calibrateShortcut(pairsOf(left, shortcut), promise, {
      ...about,
      shortcut,
      id: `${idPrefix}-${shortcut}`,
    });
    const { calibration } = calibrated;
    if (calibration.kind === 'on') {
      const { firstRefused } = calibration;
      left = left.filter((row) => firstRefused !== null && (row.answers[shortcut]?.confidence ?? 1) < firstRefused);
    }
    return calibrated;
  });
}

function pairsOf(rows: readonly ReferenceRow[], shortcut: string): CalibrationPair[] {
  return rows.flatMap(({ answers, reference }) => {
    const answer = answers[shortcut];
    return answer === undefined ? [] : [{ confidence: answer.confidence, agreed: answer.label === reference }];
  });
}
