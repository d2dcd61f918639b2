/**
 * The budget alarm: word at 80 % and 100 % spent, and when the forecast passes 100 %.
 */
import { CfnBudget } from 'aws-cdk-lib/aws-budgets';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { deploymentName } from '../settings.ts';
import type { Settings } from '../settings.ts';

/** Matches the runbook entry `monthly-budget`: a budget has no description, so its name carries it. */
const NAME_SUFFIX = 'monthly-budget';

export function monthlyBudget(scope: Construct, id: string, settings: Settings, topic: ITopic): CfnBudget {
  const { monthlyUsd, scope: counted } = settings.budget;
  const notify = (
    notificationType: 'ACTUAL' | 'FORECASTED',
    threshold: number,
  ): CfnBudget.NotificationWithSubscribersProperty => ({
    notification: { notificationType, threshold, thresholdType: 'PERCENTAGE', comparisonOperator: 'GREATER_THAN' },
    subscribers: [{ subscriptionType: 'SNS', address: topic.topicArn }],
  });
  return new CfnBudget(scope, id, {
    budget: {
      budgetName: `${deploymentName(settings)}-${NAME_SUFFIX}`,
      budgetType: 'COST',
      timeUnit: 'MONTHLY',
      budgetLimit: { amount: monthlyUsd, unit: 'USD' },
      ...(counted === 'tag' ? { costFilters: { TagKeyValue: [`user:project$${settings.name}`] } } : {}),
    },
    notificationsWithSubscribers: [notify('ACTUAL', 80), notify('ACTUAL', 100), notify('FORECASTED', 100)],
  });
}
