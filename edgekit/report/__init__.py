"""What a deployment found, and the forms in which it is shown: console, JSON, JUnit, HTML."""
