/** From a TOML table to a typed configuration: a valibot schema, and every problem with its path. */
import * as v from 'valibot';
import type { Problem } from './diagnostic.ts';
import { parseDuration } from './duration.ts';
import type { ConfigTable, Parsed } from './module.ts';

/** Unknown keys are problems too when the schema is a strictObject. */
export function parseWith<Schema extends v.GenericSchema>(
  schema: Schema,
  table: ConfigTable,
): Parsed<v.InferOutput<Schema>> {
  const result = v.safeParse(schema, table);
  if (result.success) return { ok: true, config: result.output };
  return { ok: false, problems: result.issues.map(problemOf) };
}

function problemOf(issue: v.BaseIssue<unknown>): Problem {
  const path = (issue.path ?? []).map((item) => item.key as string | number);
  if (issue.type === 'strict_object') {
    if (issue.expected === 'never') return { path, message: 'unknown key' };
    if (issue.expected === 'Object') return { path, message: 'must be a table' };
    return { path, message: 'is missing' };
  }
  return { path, message: issue.message };
}

/** A duration string, as milliseconds; `least` and `most` in milliseconds, both included. */
export function duration(least = 0, most = Number.MAX_SAFE_INTEGER) {
  return v.pipe(
    v.string('must be a duration in quotes, such as "90s" or "15h"'),
    v.rawTransform<string, number>(({ dataset, addIssue, NEVER }) => {
      const ms = parseDuration(dataset.value);
      if (ms === undefined) {
        addIssue({ message: `must be a duration such as "90s" or "15h", not "${dataset.value}"` });
        return NEVER;
      }
      if (ms < least || ms > most) {
        addIssue({ message: `must be between ${least} ms and ${most} ms` });
        return NEVER;
      }
      return ms;
    }),
  );
}

/** A whole number within bounds, both included. */
export function integer(least: number, most = Number.MAX_SAFE_INTEGER) {
  const message = `must be a whole number from ${least} to ${most}`;
  return v.pipe(
    v.union([v.number(), v.bigint()], message),
    v.transform(Number),
    v.check((value) => Number.isSafeInteger(value) && value >= least && value <= most, message),
  );
}
