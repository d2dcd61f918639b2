/**
 * The GraphQL schema: what can be asked, in the words of the native contract, camelCase as GraphQL's readers expect.
 */
export const TYPE_DEFINITIONS = /* GraphQL */ `
  "Any JSON value."
  scalar JSON

  enum Complexity {
    low
    medium
    high
    auto
  }
  enum Priority {
    low
    normal
    high
    critical
  }
  enum Placement {
    any
    edge
    cloud
  }
  enum CacheMode {
    default
    bypass
    refresh
  }

  "What the caller asks of the answer; see POST /v1/infer."
  input Requirements {
    latencyRequirement: Float
    modelComplexity: Complexity
    priority: Priority
    minAccuracy: Float
    maxCostUsd: Float
    placement: Placement
    variant: String
    cache: CacheMode
    explain: Boolean
  }

  type Query {
    "Asks a model. The input is a text, a list of texts, numbers, an image, tensors or a conversation, as the model's input says."
    infer(model: String!, input: JSON!, requirements: Requirements): Inference!
    models: [Model!]!
    model(name: String!): Model
    routes: [Route!]!
    route(name: String!): Route
    targets: [Target!]!
    "As GET /v1/metrics says it."
    metrics(minutes: Int): JSON!
    "As GET /v1/routes/:name/guarantee says it."
    guarantee(route: String!): JSON!
  }

  type Inference {
    requestId: String!
    model: String!
    variant: String!
    predictions: [Prediction!]!
    targetUsed: TargetUsed!
    latencyMs: Float!
    costUsd: Float!
    cache: String!
    decision: Decision!
  }

  "Which fields are there depends on the model's task."
  type Prediction {
    label: String
    confidence: Float
    top: [RankedLabel!]
    embedding: [Float!]
    outputs: JSON
    text: String
    truncated: Boolean!
    variant: String!
    target: String!
    accepted: Boolean!
  }

  type RankedLabel {
    label: String!
    confidence: Float!
  }

  type TargetUsed {
    kind: String!
    id: String!
    region: String!
  }

  type Decision {
    policy: String!
    reason: String!
    missed: [String!]!
    cloudOnlyCostUsd: Float!
    configVersion: String!
    fallbackChain: [Attempt!]!
    "Everything POST /v1/infer says of the decision."
    full: JSON!
  }

  type Attempt {
    target: String!
    kind: String!
    region: String!
    variant: String!
    why: String!
    outcome: String!
    reason: String
    detail: String
    latencyMs: Float!
    costUsd: Float!
  }

  type Model {
    name: String!
    version: String!
    task: String!
    description: String!
    labels: [String!]!
    outOfScopeLabel: String
    input: JSON!
    referenceVariant: String!
    variants: [Variant!]!
    route: Route
  }

  type Variant {
    name: String!
    accuracy: Float!
    sizeBytes: Float!
    format: String!
    servedBy: [Target!]!
  }

  type Route {
    name: String!
    model: Model!
    policy: JSON!
    defaultDeadlineMs: Float!
    guarantee: JSON!
  }

  type Target {
    id: String!
    kind: String!
    region: String!
    enabled: Boolean!
    "Why it cannot be used in this deployment, or null."
    unreachable: String
    breaker: String!
    inFlight: Int!
    price: JSON!
    serves: [Served!]!
  }

  type Served {
    model: String!
    variant: String!
  }
`;
