/** Pictures of bytes blurred: along the rows, then down the columns. */
type Size = readonly [height: number, width: number, channels: number]

/** Weights in steps of 2^-24, as hosts compute exponentials differently; their sum is 1 within that. */
function gaussian(kernelSize: number, sigma: number): Float64Array {
  const middle = (kernelSize - 1) / 2
  const weights = Float64Array.from({ length: kernelSize }, (_, i) => Math.exp(-(((i - middle) / sigma) ** 2) / 2))
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return weights.map((weight) => Math.round((weight / sum) * 2 ** 24) / 2 ** 24)
}

/** What each tap along an axis reads; beyond the border the picture is reflected about its last pixel, as in torchvision. */
function tapsAlong(length: number, kernelSize: number): Int32Array {
  const period = Math.max(1, 2 * (length - 1))
  return Int32Array.from({ length: length + kernelSize - 1 }, (_, i) => {
    const at = (((i - (kernelSize - 1) / 2) % period) + period) % period
    return Math.min(at, period - at)
  })
}

/** torchvision's gaussian_blur; the function has room of its own and is used by one reader at a time. */
export function blurOf([height, width, channels]: Size, kernelSize: number) {
  const [columns, rows] = [tapsAlong(width, kernelSize), tapsAlong(height, kernelSize)]
  const row = width * channels
  const [along, sums] = [new Float64Array(height * row), new Float64Array(row)]
  return (from: Uint8Array, into: Uint8Array, sigma: number): void => {
    const weights = gaussian(kernelSize, sigma)
    for (let y = 0, out = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        for (let c = 0; c < channels; c++, out++) {
          let sum = 0
          for (let k = 0; k < kernelSize; k++) sum += weights[k] * from[y * row + columns[x + k] * channels + c]
          along[out] = sum
        }
    for (let y = 0; y < height; y++) {
      sums.fill(0.5)
      for (let k = 0; k < kernelSize; k++) {
        const [weight, at] = [weights[k], rows[y + k] * row]
        for (let i = 0; i < row; i++) sums[i] += weight * along[at + i]
      }
      for (let i = 0; i < row; i++) into[y * row + i] = Math.min(255, sums[i])
    }
  }
}
