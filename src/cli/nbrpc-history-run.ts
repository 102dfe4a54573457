/** One run of `netsteward nbrpc history`: from the running daemon's events, else from the history's file. */
import { NetstewardError } from '../core/errors.ts';
import type { NetstewardEvent } from '../core/events.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import { similarNames } from '../nbrpc/similar.ts';
import { type EventQuery, eventOfRow, selectEvents } from '../supervisor/history-query.ts';
import { presenceCodes } from '../supervisor/history-strips.ts';
import { clock, configured, reading } from './compose-nbrpc-look.ts';
import { configSource } from './config-options.ts';
import { controlCommand } from './control-command.ts';
import { controlEvents } from './events-stream.ts';
import type { HistoryFlags } from './nbrpc-asking.ts';
import { historyCodes, hostHistory } from './nbrpc-history.ts';
import { historyText } from './nbrpc-history-view.ts';
import { print, printError, printJson } from './output.ts';

const day = 86_400_000;
/** What one answer of the control socket has at most. */
const mostEvents = 10_000;
/** Of the file: one service has far fewer in a year. */
const mostRows = 200_000;

/** Rejects with what asking, the configuration or the file reject with, `host-unknown` and `history-off`. */
export async function showServiceHistory(host: string, flags: HistoryFlags): Promise<ExitCode> {
  const { events, source } = await eventsOf(host, flags);
  const until = clock.now();
  const history = hostHistory(host, events, { since: until - flags.days * day, until });
  if (flags.json === true) printJson(history);
  else print(historyText(history, source));
  if (events.length >= mostEvents && source === undefined) {
    printError(`only the newest ${mostEvents} events were looked at\n`);
  }
  return exitCodes.ok;
}

interface Found {
  readonly events: readonly NetstewardEvent[];
  /** Absent: the running daemon. */
  readonly source?: string;
}

async function eventsOf(host: string, flags: HistoryFlags): Promise<Found> {
  const { socket } = flags;
  try {
    const own: NetstewardEvent[] = [];
    for await (const event of controlEvents({ socket, subject: host, limit: mostEvents, follow: false }))
      own.push(event);
    const events = own.filter(({ module, code }) => module === 'nbrpc' && historyCodes.includes(code));
    // It says which names are like it.
    if (events.length === 0) await controlCommand(socket, 'nbrpc', 'explain', host);
    const presence: NetstewardEvent[] = [];
    for await (const event of controlEvents({ socket, module: 'netsteward', limit: mostEvents, follow: false })) {
      if (presenceCodes.includes(event.code)) presence.push(event);
    }
    return { events: [...presence, ...events].sort((a, b) => a.at - b.at) };
  } catch (error) {
    if (!(error instanceof NetstewardError) || error.code !== 'not-running') throw error;
  }
  const { history } = (await configured(configSource(flags))).all;
  if (history.off) {
    throw new NetstewardError('history-off', `no netsteward runs, and history.off in ${flags.config} keeps none`, {
      remedy: 'Start netsteward, or name the configuration that it ran with by --config.',
    });
  }
  const events = await reading(history.file, 'history', (reader) => {
    const all = (query: EventQuery): readonly NetstewardEvent[] => {
      const { text, parameters } = selectEvents(query);
      return reader.all(text, parameters).flatMap((row) => eventOfRow(row) ?? []);
    };
    const own = all({ module: 'nbrpc', subject: host, codes: historyCodes, limit: mostRows });
    if (own.length === 0) {
      const rows = reader.all(`SELECT DISTINCT subject FROM event WHERE module = 'nbrpc'`, []);
      const similar = similarNames(
        host,
        rows.map(({ subject }) => String(subject)),
      );
      throw new NetstewardError('host-unknown', `nothing of ${host} is in ${history.file}`, {
        remedy: similar.length === 0 ? 'Name a host of a check list.' : `There are: ${similar.join(', ')}.`,
      });
    }
    return [...all({ codes: presenceCodes, limit: mostRows }), ...own].sort((a, b) => a.at - b.at);
  });
  return { events, source: history.file };
}
