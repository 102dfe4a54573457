/** How events read in the terminal (pure). */
import { eventText, type NetstewardEvent } from '../core/events.ts';
import { printable } from '../core/printable.ts';

/** `2026-11-21 14:05:09 nbrpc        example.org goes through the tunnel: …`, in the time zone of the reader. */
export function eventLine(event: NetstewardEvent): string {
  return printable(`${localTime(event.at)} ${event.module.padEnd(10)} ${eventText(event)}`);
}

/** To the second, in the time zone of the process. */
export function localTime(at: number): string {
  const time = new Date(at);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join('-');
  return `${day} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':')}`;
}
