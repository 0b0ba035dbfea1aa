"""Other people's layouts, turned into a data set's folder, and a check of any such folder."""
