// How a PIN is asked for. What opens a device is not to lie in a browser's own list of passwords:
// browsers are told that it is a code, and programs that keep passwords go by marks of their own. The
// field stays one for passwords: keyboards learn nothing from those, and a browser that crashed
// restores none. Whoever keeps the PIN elsewhere can paste it.
export const pinField = {
  type: 'password',
  autocomplete: 'one-time-code',
  'data-1p-ignore': '',
  'data-bwignore': '',
  'data-lpignore': 'true',
  'data-form-type': 'other',
} as const;
