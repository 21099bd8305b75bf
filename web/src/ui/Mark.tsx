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
      <path d="M2 6.5C7 6.5 7 17.5 12 17.5C13.72 17.5 14.85 16.19 15.8 14.48M18.2 9.52C19.15 7.81 20.27 6.5 22 6.5M2 17.5C3.72 17.5 4.85 16.19 5.8 14.48M8.2 9.52C9.15 7.81 10.28 6.5 12 6.5C17 6.5 17 17.5 22 17.5" />
    </svg>
  )
}
