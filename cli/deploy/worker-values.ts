/**
 * From the outputs of a deployment to what its worker must be told. Owns which output becomes which secret, which of them a
 * worker cannot do without, and what is made here because nobody else has it. Pure.
 */

/** Names of CloudFormation outputs, all stacks together. */
export type Outputs = Readonly<Record<string, string>>;

/** Every value goes as a secret: some are, and a second way for the rest would only be one more thing to get wrong. */
const SECRET_OF_OUTPUT: Readonly<Record<string, string>> = {
  Region: 'AWS_REGION',
  TableName: 'TABLE_NAME',
  MetricsShards: 'METRICS_SHARDS',
  FunctionUrl: 'LAMBDA_FUNCTION_URL',
  EndpointName: 'SAGEMAKER_ENDPOINT_NAME',
  WorkerRoleArn: 'AWS_ROLE_ARN',
  WorkerTokenIssuer: 'IDENTITY_ISSUER',
  WorkerTokenAudience: 'IDENTITY_AUDIENCE',
  WorkerTokenSubject: 'IDENTITY_SUBJECT',
  BatchBucketName: 'BATCH_BUCKET',
  BatchQueueUrl: 'BATCH_QUEUE_URL',
};

export function secretsFrom(outputs: Outputs): Record<string, string> {
  return Object.fromEntries(
    Object.entries(SECRET_OF_OUTPUT).flatMap(([output, secret]) => {
      const value = outputs[output];
      return value === undefined || value === '' ? [] : [[secret, value]];
    }),
  );
}

export type Missing = { readonly name: string; readonly why: string };

/** What a worker of this deployment lacks, with what it is for. */
export function missingSecrets(outputs: Outputs, present: readonly string[]): readonly Missing[] {
  const has = (name: string): boolean => present.includes(name);
  const missing: Missing[] = Object.keys(secretsFrom(outputs))
    .filter((name) => !has(name))
    .map((name) => ({ name, why: `the deployment has the output ${outputOf(name)}` }));
  if (outputs['WorkerRoleArn'] !== undefined) {
    if (!has('IDENTITY_KEY')) {
      missing.push({ name: 'IDENTITY_KEY', why: 'the worker signs with it for AWS: npx hybrid identity new' });
    }
  } else {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) {
      if (!has(name))
        missing.push({ name, why: 'there is no worker role: a user with WorkerPolicyArn and BatchPolicyArn' });
    }
  }
  if (outputs['BatchQueueUrl'] !== undefined && !has('BATCH_KEY')) {
    missing.push({ name: 'BATCH_KEY', why: "batches' tokens are made with it: 32 random characters or more" });
  }
  return missing;
}

/** What a deployment should have told and did not. */
export function missingOutputs(outputs: Outputs): readonly Missing[] {
  const notes: Missing[] = [];
  for (const name of ['Region', 'ConfigEnvironment', 'TableName', 'FunctionUrl', 'BatchBucketName', 'BatchQueueUrl']) {
    if (outputs[name] === undefined) notes.push({ name, why: 'not among the outputs: deploy all stacks' });
  }
  for (const name of ['EndpointMissing', 'WorkerRoleMissing']) {
    const why = outputs[name];
    if (why !== undefined) notes.push({ name, why });
  }
  return notes;
}

function outputOf(secret: string): string {
  return Object.entries(SECRET_OF_OUTPUT).find(([, name]) => name === secret)?.[0] ?? '';
}
