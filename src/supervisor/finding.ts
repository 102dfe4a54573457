/** The three kinds of findings of `netsteward check --host`, for those who make them. */
import type { Finding } from '../core/module.ts';

export const ok = (text: string): Finding => ({ severity: 'ok', text });
export const warning = (text: string, remedy: string): Finding => ({ severity: 'warning', text, remedy });
export const error = (text: string, remedy: string): Finding => ({ severity: 'error', text, remedy });
