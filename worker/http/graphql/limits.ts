/**
 * How much one GraphQL request may ask, as validation rules: depth and fields, fragments counted where they are spread, and
 * how many inferences and metrics. What a query may cost is known before anything runs.
 */
import {
  GraphQLError,
  Kind,
  type ASTVisitor,
  type FragmentDefinitionNode,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql';

/** Tokens of the text itself; a longer one is not even parsed. */
export const MAX_TOKENS = 2_000;
const MAX_DEPTH = 8;
const MAX_FIELDS = 300;
/** Each is a request of its own to the pipeline. */
const MAX_INFERENCES = 8;
/** Each reads the table some hundred times. */
const MAX_METRICS = 2;

type Extent = {
  readonly depth: number;
  readonly fields: number;
  readonly inferences: number;
  readonly metrics: number;
};

const NOTHING: Extent = { depth: 0, fields: 0, inferences: 0, metrics: 0 };

export function queryLimits(context: ValidationContext): ASTVisitor {
  return {
    OperationDefinition(operation) {
      const extent = measure(operation.selectionSet, context, new Map(), new Set());
      const problem = problemOf(extent);
      if (problem !== undefined) context.reportError(new GraphQLError(problem, { nodes: [operation] }));
    },
  };
}

function problemOf({ depth, fields, inferences, metrics }: Extent): string | undefined {
  if (depth > MAX_DEPTH) return `The query is ${depth} levels deep; ${MAX_DEPTH} are allowed.`;
  if (fields > MAX_FIELDS) return `The query asks for ${fields} fields; ${MAX_FIELDS} are allowed.`;
  if (inferences > MAX_INFERENCES) return `The query asks for ${inferences} inferences; ${MAX_INFERENCES} are allowed.`;
  if (metrics > MAX_METRICS) return `The query asks for metrics ${metrics} times; ${MAX_METRICS} are allowed.`;
  return undefined;
}

/** Each fragment is measured once, however often it is spread: a bomb of nested fragments costs nothing to find out. */
function measure(
  selectionSet: SelectionSetNode | undefined,
  context: ValidationContext,
  known: Map<FragmentDefinitionNode, Extent>,
  open: ReadonlySet<FragmentDefinitionNode>,
): Extent {
  let total = NOTHING;
  for (const selection of selectionSet?.selections ?? []) {
    switch (selection.kind) {
      case Kind.FIELD: {
        // Introspection is deep by nature and bounded by the schema; whether it is allowed is another rule's question.
        if (selection.name.value.startsWith('__')) break;
        const inner = measure(selection.selectionSet, context, known, open);
        const name = selection.name.value;
        total = add(total, {
          depth: inner.depth + 1,
          fields: inner.fields + 1,
          inferences: inner.inferences + (name === 'infer' ? 1 : 0),
          metrics: inner.metrics + (name === 'metrics' ? 1 : 0),
        });
        break;
      }
      case Kind.INLINE_FRAGMENT:
        total = add(total, measure(selection.selectionSet, context, known, open));
        break;
      case Kind.FRAGMENT_SPREAD: {
        const fragment = context.getFragment(selection.name.value);
        // Unknown ones and circles are other rules' business.
        if (fragment === undefined || fragment === null || open.has(fragment)) break;
        const extent =
          known.get(fragment) ?? measure(fragment.selectionSet, context, known, new Set([...open, fragment]));
        known.set(fragment, extent);
        total = add(total, extent);
      }
    }
  }
  return total;
}

/** Saturating: what is far beyond the limit need not be counted to the end. */
function add(one: Extent, other: Extent): Extent {
  return {
    depth: Math.max(one.depth, other.depth),
    fields: Math.min(one.fields + other.fields, 1e9),
    inferences: Math.min(one.inferences + other.inferences, 1e9),
    metrics: Math.min(one.metrics + other.metrics, 1e9),
  };
}
