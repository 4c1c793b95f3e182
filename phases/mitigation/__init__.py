"""Phase 3: stop the bleeding by rollback, hotfix or another fix."""
