/** The plots' library as the browser loads it: the build puts uPlot's module beside the page's own. */
import uPlot from 'uplot';

export default uPlot;
