"""Every layout of a migration, deployed, failed, rolled back and left to bare Helm, with each helm; its pods counted."""
