/**
 * Queries parsed and validated before: clients send the same text again and again with other variables, and parsing and
 * validating it took most of what GraphQL added to a request. Bounded in number and in length.
 */
import {
  parse,
  validate,
  type DocumentNode,
  type GraphQLError,
  type GraphQLSchema,
  type ValidationRule,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { MAX_TOKENS } from './limits.ts';

const MAX_QUERIES = 200;
/** A longer one is parsed each time. */
const MAX_KEPT_CHARS = 8_192;
/** Of all together. Parsed, a character weighs up to 130 bytes: 8.5 MB, and whoever sends them need not be known. */
const MAX_CHARS = 65_536;

const documents = new LRUCache<string, DocumentNode>({ max: MAX_QUERIES, maxSize: MAX_CHARS });
type Verdict = { readonly ruleCount: number; readonly errors: readonly GraphQLError[] };

/** By document; an isolate's rules are the same for as long as it lives, and those without introspection are one more. */
const verdicts = new WeakMap<DocumentNode, Verdict>();

/** @throws GraphQLError where the text is no query, or a longer one than any honest one */
export function parseQuery(text: string): DocumentNode {
  const known = documents.get(text);
  if (known !== undefined) return known;
  const document = parse(text, { maxTokens: MAX_TOKENS });
  if (text.length <= MAX_KEPT_CHARS) documents.set(text, document, { size: Math.max(1, text.length) });
  return document;
}

export function validateQuery(
  schema: GraphQLSchema,
  document: DocumentNode,
  rules: readonly ValidationRule[],
): readonly GraphQLError[] {
  const known = verdicts.get(document);
  if (known?.ruleCount === rules.length) return known.errors;
  const errors = validate(schema, document, rules);
  verdicts.set(document, { ruleCount: rules.length, errors });
  return errors;
}
