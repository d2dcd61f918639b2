/**
 * What a model does. Apart from the schemas, because a first answer needs these words and not the library that checks them.
 */

/** Tasks whose answer is a label with a confidence. */
const CLASSIFICATION_TASKS = ['text_classification', 'image_classification', 'tabular_classification'] as const;

export const TASKS = [...CLASSIFICATION_TASKS, 'sentence_embedding', 'tensors', 'text_generation'] as const;

export type Task = (typeof TASKS)[number];

export function isClassification(task: Task): boolean {
  return CLASSIFICATION_TASKS.some((known) => known === task);
}
