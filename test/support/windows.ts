/** Attributes of convolutions and poolings over pictures, as most graphs of tests have them. */
export const plain = { strides: [1, 1], dilation: [1, 1], groups: 1 } as const
export const same = { ...plain, padding: 'same' } as const
export const valid = { ...plain, padding: 'valid' } as const
export const pool = { window: [2, 2], strides: [2, 2], padding: 'valid' } as const
export const overlapping = { window: [3, 3], strides: [2, 2], padding: 'same' } as const
