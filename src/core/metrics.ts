/** Metrics as plain values: what can be measured, and what was. How they are written out is the supervisor's business. */

export interface MetricDefinition {
  /** As prometheus.io/docs/practices/naming says: `netsteward_`, what, base unit; counters end in `_total`. */
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** `seconds`, `bytes`, or what is counted: for the documentation. */
  readonly unit: string;
  readonly labels: readonly string[];
}

export interface MetricSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Of a histogram alone: which of its series it belongs to. */
  readonly series?: 'bucket' | 'sum' | 'count';
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

export interface HistogramValue {
  readonly labels: Readonly<Record<string, string>>;
  /** Values in each bucket, without those below it; one more than there are bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** As Prometheus has histograms: buckets that count all below them too, their sum and number. `bounds`: upper ends, rising. */
export function histogram(
  definition: MetricDefinition,
  bounds: readonly number[],
  values: readonly HistogramValue[],
): Metric {
  const samples = values.slice(0, mostSamples).flatMap(({ labels, counts, sum }): readonly MetricSample[] => {
    let below = 0;
    const buckets = [...bounds.map(String), '+Inf'].map((le, index) => {
      below += counts[index] ?? 0;
      return { labels: { ...labels, le }, value: below, series: 'bucket' as const };
    });
    return [...buckets, { labels, value: sum, series: 'sum' }, { labels, value: below, series: 'count' }];
  });
  return { ...definition, samples };
}

/** One sample for each key, which is the value of the label `label`. */
export function byLabel(label: string, values: Readonly<Record<string, number>>): readonly MetricSample[] {
  return Object.entries(values).map(([key, value]) => ({ labels: { [label]: key }, value }));
}

/** A wall-clock time in milliseconds, as Prometheus wants times: seconds since the epoch. No sample for what never was. */
export function timestamp(at: number | null | undefined): readonly MetricSample[] {
  return at === null || at === undefined ? [] : [{ labels: {}, value: at / 1000 }];
}
