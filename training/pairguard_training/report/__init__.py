"""One page of HTML that says what a bundle can do, for whom it errs and what a threshold costs."""
