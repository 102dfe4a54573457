/** Places that need no configuration. */

export const defaultControlSocket = '/run/netsteward/control.sock';
