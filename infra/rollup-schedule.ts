/** The finest step of rollups (shared/measure/rollup-steps.ts): more often would find nothing new to sum up. */
export const ROLLUP_MINUTES = 5;
