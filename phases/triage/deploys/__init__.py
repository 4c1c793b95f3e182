"""Phase 1, the deploys: the suspect, the releases shown to be well, and what lies between."""
