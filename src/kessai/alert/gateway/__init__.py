"""What goes out of alert-service: state as bytes, tables, notifications."""
