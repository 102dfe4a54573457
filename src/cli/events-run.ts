/** One run of `netsteward events`. */
import { systemClock } from '../core/clock.ts';
import { printableJson } from '../core/printable.ts';
import type { EventsOptions } from './events.ts';
import { controlEvents } from './events-stream.ts';
import { eventLine } from './events-view.ts';
import { print } from './output.ts';

/** Rejects with NetstewardError where netsteward cannot be reached, or goes while it is followed. */
export async function showEvents({
  socket,
  since,
  module,
  subject,
  limit,
  follow,
  json,
}: EventsOptions): Promise<void> {
  const from = since === undefined ? undefined : 'at' in since ? since.at : systemClock.now() - since.ago;
  const question = {
    socket,
    limit,
    follow: follow === true,
    ...(from === undefined ? {} : { since: from }),
    ...(module === undefined ? {} : { module }),
    ...(subject === undefined ? {} : { subject }),
  };
  for await (const event of controlEvents(question)) {
    print(json ? `${printableJson(JSON.stringify(event))}\n` : `${eventLine(event)}\n`);
  }
}
