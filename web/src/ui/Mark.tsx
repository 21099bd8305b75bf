/** Two threads crossing under and over. */
export function Mark({ size = 24 }: { size?: number }) {
  return (
    <svg
      class="mark"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="2.25"
      stroke-linecap="round"
      aria-hidden="true"
    >
      <path d="M2 7.500c3.600 0 4.700 9 10 9 2.100 0 3.500-1.400 4.700-3.200M19 9.800C19.800 8.400 20.700 7.500 22 7.500M2 16.500c1.300 0 2.200-.9 3-2.300M7.300 10.700C8.500 8.900 9.900 7.500 12 7.500c5.300 0 6.400 9 10 9" />
    </svg>
  )
}
