/** A difference between configurations as people read it: one line a field. */
import type { Change } from '../../shared/control/diff-configs.ts';
import { brief } from './terminal.ts';

export function describeChanges(changes: readonly Change[]): string {
  return changes.length === 0 ? 'No field differs.' : changes.map(line).join('\n');
}

function line(change: Change): string {
  switch (change.kind) {
    case 'added':
      return `+ ${change.path}: ${brief(change.to)}`;
    case 'removed':
      return `- ${change.path}: ${brief(change.from)}`;
    case 'changed':
      return `~ ${change.path}: ${brief(change.from)} -> ${brief(change.to)}`;
  }
}
