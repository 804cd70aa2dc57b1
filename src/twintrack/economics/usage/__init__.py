"""What was asked so far, out of exports, invoices and logs."""
