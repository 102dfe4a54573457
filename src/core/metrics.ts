/** Metrics as plain values: what can be measured, and what was. How they are written out is the supervisor's business. */

export interface MetricDefinition {
  /** As prometheus.io/docs/practices/naming says: `netsteward_`, what, base unit; counters end in `_total`. */
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  /** `seconds`, `bytes`, or what is counted: for the documentation. */
  readonly unit: string;
  readonly labels: readonly string[];
}

export interface MetricSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Metric extends MetricDefinition {
  readonly samples: readonly MetricSample[];
}

/** Samples of one metric that a module may give: labels such as names of hosts come from outside, and must not be without end. */
export const mostSamples = 200;

/** What was measured of it; without labels, of one that has none. */
export function measured(definition: MetricDefinition, samples: readonly MetricSample[] | number): Metric {
  const all = typeof samples === 'number' ? [{ labels: {}, value: samples }] : samples;
  return { ...definition, samples: all.slice(0, mostSamples) };
}

/** One sample for each key, which is the value of the label `label`. */
export function byLabel(label: string, values: Readonly<Record<string, number>>): readonly MetricSample[] {
  return Object.entries(values).map(([key, value]) => ({ labels: { [label]: key }, value }));
}

/** A wall-clock time in milliseconds, as Prometheus wants times: seconds since the epoch. No sample for what never was. */
export function timestamp(at: number | null | undefined): readonly MetricSample[] {
  return at === null || at === undefined ? [] : [{ labels: {}, value: at / 1000 }];
}
