"""Second-order cumulants: closed equations of means and pair correlations."""
