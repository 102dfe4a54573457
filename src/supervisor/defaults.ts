/** Places that need no configuration. */

export const defaultControlSocket = '/run/netsteward/control.sock';

export const defaultHistory = '/var/lib/netsteward/history.db';
