import { IconButton } from '../ui/IconButton.tsx'
import type { ShownUpload, Uploads } from './Uploads.ts'

/** Images that are on their way, beside the text: it doesn't jump for them. */
export function UploadList({ uploads }: { uploads: Uploads }) {
  const shown = uploads.shown.value
  return (
    <div class="uploads" role="status" data-testid="uploads">
      {shown.map(upload => (
        <UploadRow key={upload.id} upload={upload} uploads={uploads} />
      ))}
    </div>
  )
}

function UploadRow({ upload: { id, name, state }, uploads }: { upload: ShownUpload; uploads: Uploads }) {
  const hasFailed = state.is === 'failed'
  return (
    <div class={`upload ${hasFailed ? 'has-failed' : ''}`} data-state={state.is}>
      <div class="upload-what">
        <span class="upload-name">{name}</span>
        {hasFailed ? (
          <span class="upload-why">{state.why}</span>
        ) : (
          <progress aria-label={`Uploading ${name}`} max={1} value={state.is === 'sending' ? state.part : 0} />
        )}
      </div>
      {hasFailed && state.canRetry && (
        <button type="button" class="button" onClick={() => uploads.retry(id)}>
          Try again
        </button>
      )}
      <IconButton
        icon="x"
        label={hasFailed ? 'Dismiss' : 'Cancel'}
        tipAlign="end"
        onClick={() => uploads.dismiss(id)}
      />
    </div>
  )
}
