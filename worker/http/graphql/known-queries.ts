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

const documents = new LRUCache<string, DocumentNode>({ max: MAX_QUERIES });
type Verdict = { readonly ruleCount: number; readonly errors: readonly GraphQLError[] };

/** By document; an isolate's rules are the same for as long as it lives, and those without introspection are one more. */
const verdicts = new WeakMap<DocumentNode, Verdict>();

/** @throws GraphQLError where the text is no query, or a longer one than any honest one */
export function parseQuery(text: string): DocumentNode {
  const known = documents.get(text);
  if (known !== undefined) return known;
  const document = parse(text, { maxTokens: MAX_TOKENS });
  if (text.length <= MAX_KEPT_CHARS) documents.set(text, document);
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
